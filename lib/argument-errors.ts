/** Errors about arguments, in Node's own look: `TypeError [ERR_INVALID_ARG_TYPE]: The "args" argument must be …`. */
import { format, inspect } from 'node:util'

/** `expected` is a phrase: 'of type string', 'an instance of Array'. A value that may be a secret is not `shown`. */
export function invalidType(name: string, expected: string, value: unknown, shown = true): TypeError {
  const message = `The "${name}" ${kindOf(name)} must be ${expected}. Received ${describe(value, shown)}`
  return coded(new TypeError(message), 'ERR_INVALID_ARG_TYPE', invalidType)
}

/** `problem` is a phrase: 'must be a string without null bytes'. `received` is left out where it may be a secret. */
export function invalidValue(name: string, problem: string, ...received: [] | [unknown]): TypeError {
  const tail = received.length ? `. Received ${shorten(inspect(received[0]), 128)}` : ''
  return coded(new TypeError(`The ${kindOf(name)} '${name}' ${problem}${tail}`), 'ERR_INVALID_ARG_VALUE', invalidValue)
}

/** `range` is a phrase: 'an integer', '>= 0 && <= 2147483647'. */
export function outOfRange(name: string, range: string, value: unknown): RangeError {
  const message = `The value of "${name}" is out of range. It must be ${range}. Received ${inspect(value)}`
  return coded(new RangeError(message), 'ERR_OUT_OF_RANGE', outOfRange)
}

/** No signal of that name or number. */
export function unknownSignal(value: unknown): TypeError {
  return coded(new TypeError(format('Unknown signal: %s', value)), 'ERR_UNKNOWN_SIGNAL', unknownSignal)
}

/** For classes whose instances come from functions alone. */
export function illegalConstructor(): TypeError {
  return coded(new TypeError('Illegal constructor'), 'ERR_ILLEGAL_CONSTRUCTOR', illegalConstructor)
}

function kindOf(name: string): string {
  return name.includes('.') ? 'property' : 'argument'
}

function describe(value: unknown, shown: boolean): string {
  if (value === null || value === undefined) return String(value)
  if (typeof value === 'function') return `function ${value.name}`
  if (typeof value === 'object') {
    const name: unknown = value.constructor?.name
    return typeof name === 'string' ? `an instance of ${name}` : inspect(value, { depth: -1 })
  }
  return shown ? `type ${typeof value} (${shorten(inspect(value), 28)})` : `type ${typeof value}`
}

function shorten(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)}...` : text
}

/** Node's errors show their code in `stack` and in String(error), while `name` stays plain. */
function coded<E extends Error>(error: E, code: string, maker: (...args: never[]) => unknown): E {
  const { name } = error
  Object.defineProperty(error, 'name', { value: `${name} [${code}]`, configurable: true })
  Error.captureStackTrace(error, maker)
  void error.stack // puts its header together, with the name as it is now
  Reflect.deleteProperty(error, 'name')
  Object.defineProperty(error, 'toString', {
    value: () => `${name} [${code}]: ${error.message}`,
    configurable: true,
    writable: true,
  })
  return Object.assign(error, { code })
}
