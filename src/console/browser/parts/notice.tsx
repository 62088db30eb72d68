import type { JSX } from 'preact'
import type { ApiError } from '../api.ts'
import { useRefusal } from '../session.ts'

/** What stands in the place of data that could not be had. */
export function Notice({ error }: { readonly error: ApiError | undefined }): JSX.Element | null {
  useRefusal(error)
  if (!error || error.status === 401) return null
  return (
    <p class="notice error" role="alert">
      {error.message}
    </p>
  )
}
