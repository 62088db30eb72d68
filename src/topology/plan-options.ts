/** What may be done beside additions and changes that lose nothing. Default: none of it. */
export interface PlanOptions {
  /** Records of one key go to another partition afterwards. */
  readonly allowPartitionIncrease?: boolean
  /** Kafka deletes at once what is older. */
  readonly allowShorterRetention?: boolean
  /** ACLs of the file's principals that the file does not have are removed. */
  readonly pruneAcls?: boolean
  /** ACLs are somebody else's business. */
  readonly skipAcls?: boolean
}
