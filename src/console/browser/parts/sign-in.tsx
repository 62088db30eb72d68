import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { post, type ApiError } from '../api.ts'
import { useTask } from '../task.ts'

export interface SignInProps {
  /** Why the console does not open. */
  readonly refusal: ApiError
  readonly onSignedIn: () => void
}

/** Asks for the server's token where the console has a sign-in of its own; else says what to do. */
export function SignIn({ refusal, onSignedIn }: SignInProps): JSX.Element {
  return (
    <main class="sign-in">
      <h1>Event delivery</h1>
      {refusal.status === 401 && refusal.canSignIn ? (
        <SignInForm onSignedIn={onSignedIn} />
      ) : (
        <>
          <p role="alert">
            {refusal.status === 401
              ? 'You are not signed in. Sign in to the server, then open this page again.'
              : refusal.message}
          </p>
          <button type="button" onClick={onSignedIn}>
            Try again
          </button>
        </>
      )}
    </main>
  )
}

function SignInForm({ onSignedIn }: Pick<SignInProps, 'onSignedIn'>): JSX.Element {
  const [secret, setSecret] = useState('')
  const { error, isBusy, run } = useTask<void>()
  const submit = (event: Event): void => {
    event.preventDefault()
    run(async () => {
      await post('/session', { secret, path: window.location.pathname })
      onSignedIn()
    })
  }
  return (
    <form onSubmit={submit}>
      <label for="secret">Token of the server, or user:password</label>
      <input
        id="secret"
        type="password"
        autocomplete="current-password"
        required
        value={secret}
        aria-describedby="sign-in-error"
        onInput={(event) => {
          setSecret(event.currentTarget.value)
        }}
      />
      <p id="sign-in-error" class="error" role="alert">
        {error?.message}
      </p>
      <button type="submit" class="primary" disabled={isBusy}>
        Sign in
      </button>
      <p class="hint">
        The token stays out of addresses and logs. The browser keeps a cookie for 12 hours, which
        scripts cannot read.
      </p>
    </form>
  )
}
