/** Why there is no token. `message` is a sentence for an operator, without any secret. */
export class TokenFailure extends Error {
  override readonly name: string = 'TokenFailure'
}
