import { checkHealth } from '../../topology/health/check-health.ts'
import type { ServiceHealth } from '../../topology/health/topology-health.ts'
import { exitCodes, type Command } from '../command.ts'
import { environmentOf, environmentOption, json, topologyFile } from './topology-file.ts'
import { clusterOptions, clusterOptionsOf } from './with-cluster.ts'

export const healthCommand: Command = {
  name: 'topology health',
  summary:
    "Writes a record to each service's health topic as its producer, and reads it back as its consumer. Exits 2 when one cannot.",
  parameters: 'FILE',
  options: {
    ...environmentOption,
    service: {
      type: 'string',
      value: 'NAME,…',
      doc: 'Only these services. Default: every one with a health topic.',
    },
    'deadline-ms': {
      type: 'string',
      value: 'NUMBER',
      doc: 'Longest time that it takes, in milliseconds. Default 5000.',
    },
    'bootstrap-servers': clusterOptions['bootstrap-servers'],
    'vault-config': clusterOptions['vault-config'],
  },
  run: async (call) => {
    const { options, io } = call
    const source = topologyFile(call)
    const deadline = options.text('deadline-ms')
    const health = await checkHealth(source, {
      ...clusterOptionsOf(call),
      environment: environmentOf(source, call),
      services: options
        .text('service')
        ?.split(',')
        .map((name) => name.trim()),
      deadlineMs: deadline === undefined ? undefined : Number(deadline),
    })
    if (options.flag('json')) io.out(json(health))
    else for (const service of health.services) io.out(`${lineOf(service)}\n`)
    return health.isHealthy ? exitCodes.inLine : exitCodes.differences
  },
}

function lineOf(health: ServiceHealth): string {
  const { service, kafkaTopic } = health
  if (health.isHealthy) return `healthy ${service}: ${kafkaTopic}, ${health.latencyMs} ms`
  const who = health.principal === undefined ? '' : ` (${health.principal})`
  return `failed ${service}: ${kafkaTopic}, ${health.side}${who}: ${health.cause}`
}
