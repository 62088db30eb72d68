import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { createTopic } from '../../test/helpers/kafka.ts'
import { absoluteFigure, type Figure } from '../figures.ts'
import type { Footprint, FootprintSettings } from './footprint-process.ts'

const kinds = ['best-effort', 'at-least-once'] as const
const counts = [1, 10, 100] as const
const kafkaTopic = 'bench-footprint'
/** How much 100 destinations of equal configuration may need more than one. */
const sharedMb = 10

/** Memory, threads and file descriptors of a process with many destinations on one cluster. Linux only: elsewhere there is no figure. */
export async function benchFootprint(
  bootstrapServers: string,
  { rounds }: { rounds: number },
): Promise<Figure[]> {
  if (process.platform !== 'linux') return []
  await createTopic(bootstrapServers, kafkaTopic)
  const measured = new Map<string, Footprint[]>()
  for (let round = 0; round < rounds; round++) {
    for (const kind of kinds) {
      for (const destinations of counts) {
        const key = `${kind}-${destinations}`
        const footprint = await measure({ kind, destinations, bootstrapServers, kafkaTopic })
        measured.set(key, [...(measured.get(key) ?? []), footprint])
      }
    }
  }
  const figures = [...measured].flatMap(([key, footprints]) => [
    figure(
      `memory-${key}`,
      'MB',
      footprints.map(({ residentMb }) => residentMb),
    ),
    figure(
      `threads-${key}`,
      'threads',
      footprints.map(({ threads }) => threads),
    ),
    figure(
      `files-${key}`,
      'file descriptors',
      footprints.map(({ fileDescriptors }) => fileDescriptors),
    ),
  ])
  const [one = [], many = []] = [measured.get('best-effort-1'), measured.get('best-effort-100')]
  const rises = many.map(({ residentMb }, round) => residentMb - (one[round]?.residentMb ?? 0))
  return [...figures, figure('memory-of-99-more-best-effort', 'MB', rises, sharedMb)]
}

async function measure(settings: FootprintSettings): Promise<Footprint> {
  const file = fileURLToPath(new URL('footprint-process.ts', import.meta.url))
  const args = ['--import', 'tsx', file, JSON.stringify(settings)]
  const { stdout } = await promisify(execFile)(process.execPath, args)
  return JSON.parse(stdout) as Footprint
}

function figure(name: string, unit: string, values: readonly number[], target?: number): Figure {
  return absoluteFigure({
    suite: 'kafka',
    name,
    unit,
    values,
    ...(target === undefined ? {} : { target }),
  })
}
