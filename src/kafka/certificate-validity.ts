import type { X509Certificate } from 'node:crypto'
import type { KafkaParameterName, KafkaParameterValues } from './parameter-table.ts'
import { pemCertificates } from './pem.ts'
import { usesTls } from './security-protocol.ts'
import { readCertificate } from './tls-faults.ts'

/** What time has done, or will do soon, to the certificates of a destination. `message` is one sentence for an operator. */
export interface ValidityNotice {
  readonly parameter: KafkaParameterName
  readonly message: string
  /** Outside its time, nobody accepts the certificate; else it ends within 30 days. */
  readonly isOutside: boolean
}

const dayMs = 86_400_000
const soonMs = 30 * dayMs

/** A certificate cannot be refused for its age as other values are: a stored destination that works must not stop at the second when its
 *  certificate ends, which the brokers look at only when it connects. So it is refused when it is written, and told about afterwards.
 *
 *  Empty without TLS, and for texts that hold no readable certificate. */
export function validityNotices(
  values: KafkaParameterValues,
  nowMs: number = Date.now(),
): readonly ValidityNotice[] {
  if (!usesTls(values)) return []
  const chain = chainOf(values)
  return [
    ...(chain ? noticesOf(chain.parameter, certificatesIn(chain.text), nowMs) : []),
    ...authorityNotices(certificatesIn(values.sslTruststoreCertificates), nowMs),
  ]
}

function chainOf(
  values: KafkaParameterValues,
): { parameter: KafkaParameterName; text: string | undefined } | undefined {
  const { sslKeystoreKey, sslKeystoreCertificateChain } = values
  if (sslKeystoreKey === undefined) return undefined
  if (typeof sslKeystoreKey !== 'string') {
    return { parameter: 'sslKeystoreKey', text: sslKeystoreKey.certificate }
  }
  return sslKeystoreCertificateChain
    ? { parameter: 'sslKeystoreCertificateChain', text: sslKeystoreCertificateChain }
    : { parameter: 'sslKeystoreKey', text: sslKeystoreKey }
}

function certificatesIn(text = ''): readonly X509Certificate[] {
  return pemCertificates(text).flatMap((pem) => readCertificate(pem) ?? [])
}

/** Each of a chain is needed. */
function noticesOf(
  parameter: KafkaParameterName,
  certificates: readonly X509Certificate[],
  nowMs: number,
): readonly ValidityNotice[] {
  return certificates.flatMap((certificate): readonly ValidityNotice[] => {
    const subject = `The certificate of ${nameOf(certificate)} in ${parameter}`
    const fromMs = Date.parse(certificate.validFrom)
    const toMs = Date.parse(certificate.validTo)
    if (nowMs < fromMs) {
      return [
        { parameter, message: `${subject} is valid only from ${day(fromMs)} on.`, isOutside: true },
      ]
    }
    if (nowMs > toMs) {
      return [{ parameter, message: `${subject} has ended on ${day(toMs)}.`, isOutside: true }]
    }
    if (nowMs <= toMs - soonMs) return []
    return [{ parameter, message: `${subject} ends on ${day(toMs)}.`, isOutside: false }]
  })
}

/** Bundles of authorities keep old ones; a single one that is valid may be the one that is needed. */
function authorityNotices(
  authorities: readonly X509Certificate[],
  nowMs: number,
): readonly ValidityNotice[] {
  const notices = noticesOf('sslTruststoreCertificates', authorities, nowMs)
  const outside = notices.filter(({ isOutside }) => isOutside)
  return outside.length === authorities.length
    ? notices
    : notices.filter(({ isOutside }) => !isOutside)
}

/** Its common name, as the log shows it to an operator: without line breaks, of bounded length. */
function nameOf({ subject }: X509Certificate): string {
  const name = /^CN=(.*)$/m.exec(subject)?.[1]
  return name === undefined ? 'unknown name' : `"${name.slice(0, 100)}"`
}

function day(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 10)
}
