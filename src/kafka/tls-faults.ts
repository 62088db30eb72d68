import { X509Certificate, createPrivateKey, type KeyObject } from 'node:crypto'
import { missingFeature } from './kafka-features.ts'
import type { ParameterFault } from './parameter-fault.ts'
import type { KafkaParameterName, KafkaParameterValues } from './parameter-table.ts'
import { pemCertificates, pemPrivateKey } from './pem.ts'
import { usesTls } from './security-protocol.ts'

/** Certificates and key: readable, complete, and belonging together. The ssl… parameters have no effect without TLS, as in Java. */
export function tlsFaults(
  values: KafkaParameterValues,
  features: readonly string[],
): readonly ParameterFault[] {
  const isTls = usesTls(values)
  const missing = isTls ? missingFeature(features, 'ssl') : undefined
  if (missing !== undefined) return [{ parameter: 'securityProtocol', message: missing }]
  return [
    ...certificateFaults('sslTruststoreCertificates', values.sslTruststoreCertificates),
    ...certificateFaults('sslKeystoreCertificateChain', values.sslKeystoreCertificateChain),
    ...keyFaults(values, isTls),
  ]
}

function certificateFaults(
  parameter: KafkaParameterName,
  text: string | undefined,
): readonly ParameterFault[] {
  if (!text) return []
  const certificates = pemCertificates(text)
  if (
    certificates.length > 0 &&
    certificates.every((certificate) => readCertificate(certificate))
  ) {
    return []
  }
  return [{ parameter, message: `${parameter} holds no readable certificate in PEM form.` }]
}

function keyFaults(values: KafkaParameterValues, isTls: boolean): readonly ParameterFault[] {
  const { sslKeystoreKey, sslKeystoreCertificateChain, sslKeyPassword } = values
  if (!sslKeystoreKey) {
    if (!isTls || !sslKeystoreCertificateChain) return []
    const message = 'sslKeystoreCertificateChain needs sslKeystoreKey.'
    return [{ parameter: 'sslKeystoreKey', message }]
  }
  if (typeof sslKeystoreKey !== 'string') return besideKeyStore(values)
  const parameter = 'sslKeystoreKey'
  const pem = pemPrivateKey(sslKeystoreKey)
  if (pem === undefined) {
    return [{ parameter, message: 'sslKeystoreKey holds no private key in PEM form.' }]
  }
  if (!isTls) return []
  const key = readKey(pem, sslKeyPassword)
  if (!key) return [{ parameter, message: unreadable(pem, sslKeyPassword) }]
  const withKey = sslKeystoreCertificateChain ? [] : pemCertificates(sslKeystoreKey)
  if (withKey.some((each) => !readCertificate(each))) {
    return [{ parameter, message: 'sslKeystoreKey holds a certificate that cannot be read.' }]
  }
  const [first] = sslKeystoreCertificateChain
    ? pemCertificates(sslKeystoreCertificateChain)
    : withKey
  if (first === undefined) {
    const message =
      'sslKeystoreKey needs the certificate of the client: sslKeystoreCertificateChain.'
    return [{ parameter: 'sslKeystoreCertificateChain', message }]
  }
  if (readCertificate(first)?.checkPrivateKey(key) !== false) return []
  const message =
    'sslKeystoreKey does not belong to the first certificate of the chain, which must be that of the client.'
  return [{ parameter, message }]
}

/** What is in the key store cannot be given a second time. */
function besideKeyStore(values: KafkaParameterValues): readonly ParameterFault[] {
  const needless = ['sslKeystoreCertificateChain', 'sslKeyPassword'] as const
  return needless
    .filter((parameter) => values[parameter] !== undefined)
    .map((parameter) => ({
      parameter,
      message: `Leave ${parameter} out; sslKeystoreKey refers to a key store, which has it.`,
    }))
}

function unreadable(pem: string, password: string | undefined): string {
  if (!pem.includes('ENCRYPTED')) return 'sslKeystoreKey is not a readable private key.'
  return password === undefined
    ? 'sslKeystoreKey is encrypted; it needs sslKeyPassword.'
    : 'sslKeystoreKey cannot be opened with sslKeyPassword.'
}

export function readCertificate(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem)
  } catch {
    return undefined
  }
}

function readKey(pem: string, passphrase: string | undefined): KeyObject | undefined {
  try {
    return createPrivateKey({ key: pem, ...(passphrase ? { passphrase } : {}) })
  } catch {
    return undefined
  }
}
