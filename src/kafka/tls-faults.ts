import { X509Certificate, createPrivateKey, type KeyObject } from 'node:crypto'
import type { ParameterFault } from './parameter-faults.ts'
import type { KafkaParameterName, KafkaParameterValues } from './parameter-table.ts'
import { pemCertificates, pemPrivateKey } from './pem.ts'

/** Certificates and key: readable, complete, and belonging together. The ssl… parameters have no effect without TLS, as in Java. */
export function tlsFaults(
  values: KafkaParameterValues,
  features: readonly string[],
): readonly ParameterFault[] {
  const isTls = (values.securityProtocol ?? '').toUpperCase().endsWith('SSL')
  if (isTls && !features.includes('ssl')) {
    const message =
      'This build of node-rdkafka has no TLS; install libssl-dev and run "npm rebuild node-rdkafka".'
    return [{ parameter: 'securityProtocol', message }]
  }
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
  const parameter = 'sslKeystoreKey'
  const pem = pemPrivateKey(sslKeystoreKey)
  if (pem === undefined) {
    return [{ parameter, message: 'sslKeystoreKey holds no private key in PEM form.' }]
  }
  if (!isTls) return []
  const key = readKey(pem, sslKeyPassword)
  if (!key) {
    const message = pem.includes('ENCRYPTED')
      ? 'sslKeystoreKey cannot be opened with sslKeyPassword.'
      : 'sslKeystoreKey is not a readable private key.'
    return [{ parameter, message }]
  }
  const [first] = pemCertificates(sslKeystoreCertificateChain ?? sslKeystoreKey)
  if (first === undefined) {
    const message =
      'sslKeystoreKey needs the certificate of the client: sslKeystoreCertificateChain.'
    return [{ parameter: 'sslKeystoreCertificateChain', message }]
  }
  if (readCertificate(first)?.checkPrivateKey(key) !== false) return []
  const message = 'sslKeystoreKey does not belong to the first certificate of the chain.'
  return [{ parameter, message }]
}

function readCertificate(pem: string): X509Certificate | undefined {
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
