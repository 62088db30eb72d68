import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { TopicDestinationError } from '../../../src/errors.ts'
import { loggableError } from '../../../src/observability/loggable-error.ts'
import { silentLogger, withLoggableErrors, type Logger } from '../../../src/observability/logger.ts'

const secret = 'Jane Roe'
const withCode = (code: string): Error => Object.assign(new Error(`about ${secret}`), { code })

describe('what is logged of an error', () => {
  for (const [name, error, isTold] of [
    ['an error of ours', new TopicDestinationError('KTD_KAFKA', `about ${secret}`), true],
    ['a refused connection', withCode('ECONNREFUSED'), true],
    ['a shutdown of PostgreSQL', withCode('57P01'), true],
    ['a value that PostgreSQL refuses', withCode('22P02'), false],
    ['a constraint of PostgreSQL', withCode('23505'), false],
    ['a library’s error', new SyntaxError(`Unexpected token in ${secret}`), false],
    ['its cause', new Error('outer', { cause: withCode('23505') }), false],
    ['what is no error', secret, false],
  ] as const) {
    it(`${isTold ? 'says' : 'does not say'} the message of ${name}`, () => {
      assert.equal(JSON.stringify(loggableError(error)).includes(secret), isTold)
    })
  }

  it('keeps class, code and place, and drops what a driver adds', () => {
    const error = Object.assign(withCode('23505'), { detail: `Key (name)=(${secret})` })
    const logged = loggableError(error) as { type: string; code: string; stack: string }
    assert.deepEqual([logged.type, logged.code], ['Error', '23505'])
    assert.match(logged.stack, /logger\.test/)
    assert.ok(!JSON.stringify(logged).includes(secret))
  })

  it('holds for every level and for children', () => {
    const lines: object[] = []
    const note = (fields: object): void => {
      lines.push(fields)
    }
    const noting: Logger = {
      ...silentLogger,
      trace: note,
      debug: note,
      info: note,
      warn: note,
      error: note,
      child: () => noting,
    }
    const logger = withLoggableErrors(noting)
    for (const one of [logger, logger.child({ err: withCode('23505') })]) {
      for (const level of ['trace', 'debug', 'info', 'warn', 'error'] as const) {
        one[level]({ err: withCode('23505'), destination: 'd' }, 'failed')
      }
    }
    assert.equal(lines.length, 10)
    assert.ok(!JSON.stringify(lines).includes(secret))
    assert.ok(lines.every((line) => 'destination' in line))
  })
})
