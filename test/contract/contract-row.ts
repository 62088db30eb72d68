/** One documented statement about topics and destinations in Aidbox, and how this module stands to it.
 *
 *  `statement` says it in our own words, `source` where it stands. `stricter`: what is refused here is not said to be refused there.
 *  `different`: it is another way here. Both are listed in README ("Differences from Aidbox"), with `here` and `because`. */
export type ContractRow = DocumentedAlike | DocumentedOtherwise

interface DocumentedAlike {
  readonly statement: string
  readonly source: string
  readonly verdict: 'same'
}

interface DocumentedOtherwise {
  readonly statement: string
  readonly source: string
  readonly verdict: 'stricter' | 'different'
  readonly here: string
  readonly because: string
}

/** Rows of one area by id. */
export type ContractRows = Readonly<Record<string, ContractRow>>
