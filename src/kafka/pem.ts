export interface PemBlock {
  /** `CERTIFICATE`, `PRIVATE KEY`, … */
  readonly label: string
  /** With its BEGIN and END lines, base64 in lines of 64 characters. */
  readonly text: string
}

// No block holds another BEGIN: without that, a text of many BEGIN lines takes quadratic time. A hyphen is in headers only; a step for each character would
// take the stack of a long text.
const block = /-----BEGIN ([A-Z0-9 ]{1,64})-----([^-]*(?:-[A-Za-z0-9][^-]*){0,8})-----END \1-----/g
/** In front of the base64 of a key that OpenSSL encrypted the old way (RFC 1421). */
const encryptionHeaders =
  /^\s*Proc-Type:\s*4,\s*ENCRYPTED\s+DEK-Info:\s*([A-Z0-9-]+),\s*([0-9A-Fa-f]+)\s/

/** The PEM blocks of a text. Java clients take PEM on one line, OpenSSL does not: the base64 is wrapped again. */
export function pemBlocks(text: string): readonly PemBlock[] {
  return [...text.matchAll(block)].flatMap(([, label = '', body = '']) => {
    const [headers = '', cipher, salt] = encryptionHeaders.exec(body) ?? []
    const base64 = body.slice(headers.length).replaceAll(/\s+/g, '')
    if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return []
    const lines = base64.match(/.{1,64}/g) ?? []
    const head = headers === '' ? '' : `Proc-Type: 4,ENCRYPTED\nDEK-Info: ${cipher},${salt}\n\n`
    return [
      {
        label,
        text: `-----BEGIN ${label}-----\n${head}${lines.join('\n')}\n-----END ${label}-----\n`,
      },
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
