import type { Figure } from '../figures.ts'
import { benchBuilding } from './building.ts'
import { benchHostile } from './hostile.ts'
import { benchMatching } from './matching.ts'
import { benchRegistry } from './registry.ts'
import { benchWriteShare } from './write-share.ts'

/** What matching costs: by the number of topics, in memory, in the time of a write, and in time that the event loop stands still. */
export async function benchTriggers(quick: boolean): Promise<Figure[]> {
  return [
    ...(await benchMatching({ rounds: quick ? 1 : 5 })),
    ...(await benchBuilding({ rounds: quick ? 1 : 3 })),
    ...(await benchRegistry({ rounds: quick ? 1 : 3 })),
    ...(await benchWriteShare(quick ? { rounds: 1, writes: 100 } : { rounds: 7, writes: 1000 })),
    ...(await benchHostile({ rounds: quick ? 1 : 5 })),
  ]
}
