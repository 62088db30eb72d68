import { missingFeature } from '../kafka-features.ts'
import { jaasFaultsOf, type LoginModule } from './login-module.ts'

/** name[/instance][@REALM]. No character that means something to a shell: kinit would be run by one. */
const principal =
  /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}(?:\/[A-Za-z0-9._-]{1,253})?(?:@[A-Za-z0-9._-]{1,253})?$/
const serviceName = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/

/** The ticket is the server's own affair: its credential cache, or the keytab that KRB5_CLIENT_KTNAME names in its environment, from which the
 *  Kerberos library gets tickets by itself. A destination that could name a keytab would choose among the files of the server. */
export const kerberosLogin: LoginModule = {
  className: 'com.sun.security.auth.module.Krb5LoginModule',
  mechanisms: ['GSSAPI'],
  missing: (features) => missingFeature(features, 'sasl_gssapi'),
  faults({ options }) {
    const name = options.get('principal')
    const service = options.get('serviceName')
    const isKeytabAsked =
      options.has('keyTab') || ['useKeyTab', 'storeKey'].some((each) => isTrue(options.get(each)))
    return jaasFaultsOf(
      isKeytabAsked &&
        'saslJaasConfig: a destination cannot name a keytab; leave keyTab, useKeyTab and storeKey out, and have the operator set KRB5_CLIENT_KTNAME in the environment of this server, or keep its credential cache filled.',
      name !== undefined &&
        !principal.test(name) &&
        'saslJaasConfig: principal must be of the form name[/instance][@REALM].',
      service !== undefined &&
        !serviceName.test(service) &&
        'saslJaasConfig: serviceName must be letters, digits, ".", "_" and "-".',
    )
  },
  login({ options }) {
    const name = options.get('principal')
    return {
      properties: {
        'sasl.mechanism': 'GSSAPI',
        'sasl.kerberos.service.name': options.get('serviceName') ?? 'kafka',
        ...(name === undefined ? {} : { 'sasl.kerberos.principal': name }),
        // 0: librdkafka runs no kinit, and so no shell.
        'sasl.kerberos.min.time.before.relogin': 0,
      },
    }
  },
}

function isTrue(value: string | undefined): boolean {
  return value?.toLowerCase() === 'true'
}
