import type { KafkaParameterValues } from './parameter-table.ts'

export function usesTls({ securityProtocol = '' }: KafkaParameterValues): boolean {
  return securityProtocol.toUpperCase().endsWith('SSL')
}

export function usesSasl({ securityProtocol = '' }: KafkaParameterValues): boolean {
  return securityProtocol.toUpperCase().startsWith('SASL')
}
