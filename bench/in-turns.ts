/** Measures every variant once a round, each round in another order.
 *  @param warmUp rounds that are not counted, numbered below 0
 *  @returns one value a round by variant */
export async function inTurns<Variant extends string>(
  variants: readonly Variant[],
  { rounds, warmUp }: { rounds: number; warmUp: number },
  measure: (variant: Variant, round: number) => Promise<number>,
): Promise<Record<Variant, number[]>> {
  const values = Object.fromEntries(variants.map((variant) => [variant, []])) as unknown as Record<
    Variant,
    number[]
  >
  for (let round = -warmUp; round < rounds; round++) {
    const shift = (round + warmUp) % variants.length
    for (const variant of [...variants.slice(shift), ...variants.slice(0, shift)]) {
      const value = await measure(variant, round)
      if (round >= 0) values[variant].push(value)
    }
  }
  return values
}
