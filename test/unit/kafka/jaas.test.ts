import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { JaasSyntaxError, parseJaas } from '../../../src/kafka/jaas.ts'

describe('parseJaas', () => {
  const readable: readonly (readonly [text: string, loginModule: string, options: object])[] = [
    [
      'org.apache.kafka.common.security.plain.PlainLoginModule required username="alice" password="a;b=\\"c\\"/d";',
      'org.apache.kafka.common.security.plain.PlainLoginModule',
      { username: 'alice', password: 'a;b="c"/d' },
    ],
    [
      "M required\n username='al' password=p$w-1_x tokenauth=true;",
      'M',
      { username: 'al', password: 'p$w-1_x', tokenauth: 'true' },
    ],
    ['M REQUIRED;', 'M', {}],
    [
      'M required username="$ConnectionString" password="Endpoint=sb://x/;SharedAccessKey=z=";',
      'M',
      { username: '$ConnectionString', password: 'Endpoint=sb://x/;SharedAccessKey=z=' },
    ],
    ['M optional a="\\101\\7\\t\\q";', 'M', { a: 'A\u0007\tq' }],
    ['// first\nM /* between */ sufficient a=b; // last', 'M', { a: 'b' }],
    ['M required a=b // rest\n c=d;', 'M', { a: 'b', c: 'd' }],
    ['M required a=b /\n c=d;\n e=f;', 'M', { a: 'b', e: 'f' }],
    ['M required /*/ a=b; */ c=d /;\r\n ;', 'M', { c: 'd' }],
    ['M required a="say \'hi\'";', 'M', { a: "say 'hi'" }],
  ]
  for (const [text, loginModule, options] of readable) {
    it(`reads ${JSON.stringify(text)}`, () => {
      const [entry, ...more] = parseJaas(text)
      assert.equal(entry?.loginModule, loginModule)
      assert.deepEqual(Object.fromEntries(entry.options), options)
      assert.deepEqual(more, [])
    })
  }

  it('reads several entries', () => {
    assert.deepEqual(
      parseJaas('X required a="1"; Y optional;').map(({ loginModule }) => loginModule),
      ['X', 'Y'],
    )
  })

  const broken: readonly (readonly [text: string, complaint: RegExp])[] = [
    ['', /no login module/],
    ['M', /"required"/],
    ['M nope a=b;', /"required".* character 3/],
    ['M required username=u', /closing ";" is missing/],
    ['M required username=u password=ab/cd;', /closing ";" is missing/],
    ['M required password=a=b;', /option name is expected/],
    ['M required password;', /"=" is expected/],
    ['M required password=;', /option value is expected/],
    ['; M required;', /login module class is expected at character 1/],
  ]
  for (const [text, complaint] of broken) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(
        () => parseJaas(text),
        (error) => error instanceof JaasSyntaxError && complaint.test(error.message),
      )
    })
  }

  it('never quotes the text, whatever the slip', () => {
    const secret = 'Zx9-hidden'
    for (const text of [
      `M required password=a ${secret};`,
      `M ${secret};`,
      `M required ${secret}`,
    ]) {
      assert.throws(
        () => parseJaas(text),
        (error) => error instanceof Error && !error.message.includes(secret),
      )
    }
  })
})
