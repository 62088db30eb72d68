import { kerberosLogin } from './kerberos-login.ts'
import type { LoginModule } from './login-module.ts'
import { mskIamLogin } from './msk-iam-login.ts'
import { oauthLogin } from './oauth-login.ts'
import { plainLogin, scramLogin } from './password-login.ts'

const loginModules: readonly LoginModule[] = [
  plainLogin,
  scramLogin,
  oauthLogin,
  mskIamLogin,
  kerberosLogin,
]

/** Every value of saslMechanism, with the module of its login. */
const byMechanism: ReadonlyMap<string, LoginModule> = new Map(
  loginModules.flatMap((module) => module.mechanisms.map((mechanism) => [mechanism, module])),
)

export const saslMechanisms: readonly string[] = [...byMechanism.keys()]

export const loginModuleClasses: readonly string[] = loginModules.map(({ className }) => className)

export function isLoginModule(className: string): boolean {
  return loginModuleClasses.includes(className)
}

export function loginModuleOf(mechanism: string | undefined): LoginModule | undefined {
  return mechanism === undefined ? undefined : byMechanism.get(mechanism)
}

/** Whether the login module takes an option of this name. */
export function takesOption({ optionNames }: LoginModule, name: string): boolean {
  if (!optionNames) return true
  return optionNames.some((known) =>
    typeof known === 'string' ? known === name : known.test(name),
  )
}
