/** How the clients of a connection get their tokens. Holds secrets in clear: never log it. Plain JSON: it is part of what makes two connections the
 *  same. */
export type TokenRequest = ClientCredentialsRequest | MskIamRequest | UnsecuredRequest

/** OAuth 2.0 client credentials grant: https://www.rfc-editor.org/rfc/rfc6749#section-4.4 */
export interface ClientCredentialsRequest {
  readonly kind: 'client-credentials'
  /** With `http:` it is asked without TLS. */
  readonly endpointUrl: string
  readonly clientId: string
  readonly clientSecret: string
  readonly scope: string | undefined
}

/** A signed request that Amazon MSK takes for a token: https://docs.aws.amazon.com/msk/latest/developerguide/iam-access-control.html */
export interface MskIamRequest {
  readonly kind: 'msk-iam'
  /** Of the cluster. */
  readonly region: string
  readonly credentials: AwsCredentials
  /** Tries beyond the first one of each call that gets credentials. */
  readonly maxRetries: number
  /** Longest wait between two tries to get a token. */
  readonly maxBackoffMs: number
}

export type AwsCredentials =
  /** Environment, web identity (IRSA), files, container or instance: as the AWS SDK looks for them. */
  | { readonly from: 'default-chain' }
  | { readonly from: 'profile'; readonly profileName: string }
  | {
      readonly from: 'role'
      readonly roleArn: string
      readonly sessionName: string
      readonly externalId: string | undefined
      /** Of the token service that is asked for the role. */
      readonly stsRegion: string
      /** Who assumes the role; absent: the default chain. */
      readonly source: AwsAccessKey | undefined
    }

export interface AwsAccessKey {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

/** A token that nobody has signed, for trying out: brokers take it only in their default configuration. */
export interface UnsecuredRequest {
  readonly kind: 'unsecured'
  readonly subject: string
  readonly lifetimeSeconds: number
}
