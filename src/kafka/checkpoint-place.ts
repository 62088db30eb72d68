/** Where a transactional producer keeps its checkpoint: an offset of a group that nobody consumes with. */
export interface CheckpointPlace {
  readonly group: string
  readonly kafkaTopic: string
  /** The topic holds no records: it is there for checkpoints alone, and may be missing although there is something to send. */
  readonly isOwnTopic: boolean
}

/** @param ownTopic for checkpoints alone; absent: they stand on the topic of the records */
export function checkpointPlace(
  group: string,
  kafkaTopic: string,
  ownTopic: string | undefined,
): CheckpointPlace {
  return { group, kafkaTopic: ownTopic ?? kafkaTopic, isOwnTopic: ownTopic !== undefined }
}
