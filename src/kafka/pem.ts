export interface PemBlock {
  /** `CERTIFICATE`, `PRIVATE KEY`, … */
  readonly label: string
  /** With its BEGIN and END lines, base64 in lines of 64 characters. */
  readonly text: string
}

// No block holds another BEGIN: without that, a text of many BEGIN lines takes quadratic time.
const block = /-----BEGIN ([A-Z0-9 ]{1,64})-----((?:(?!-----)[\s\S])*)-----END \1-----/g

/** The PEM blocks of a text. Java clients take PEM on one line, OpenSSL does not: the base64 is wrapped again. */
export function pemBlocks(text: string): readonly PemBlock[] {
  return [...text.matchAll(block)].flatMap(([whole, label = '', body = '']) => {
    // Header lines (Proc-Type, DEK-Info) of an old encrypted key belong to the body and cannot be told apart on one line.
    if (body.includes(':')) return [{ label, text: `${whole}\n` }]
    const base64 = body.replaceAll(/\s+/g, '')
    if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return []
    const lines = base64.match(/.{1,64}/g) ?? []
    return [
      { label, text: `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n` },
    ]
  })
}

/** First private key of the text, or undefined. */
export function pemPrivateKey(text: string): string | undefined {
  return pemBlocks(text).find(({ label }) => label.endsWith('PRIVATE KEY'))?.text
}

/** All certificates of the text, in their order. */
export function pemCertificates(text: string): readonly string[] {
  return pemBlocks(text)
    .filter(({ label }) => label === 'CERTIFICATE')
    .map((certificate) => certificate.text)
}
