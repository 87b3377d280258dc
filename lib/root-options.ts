/** The options of Roots and Executables by name, and how one is refused that this version does not bring. */
import { invalidType, invalidValue } from './argument-errors.ts'
import { unavailableError } from './errors.ts'
import type { Check } from './validate.ts'
import * as check from './validate.ts'

/** The rows of RootOptions. */
export const ROOT_OPTIONS = {
  resolve: refuse((value, name) => check.oneOf(value, name, ['beneath', 'in-root']), 'beneath'),
  symlinks: refuse((value, name) => check.oneOf(value, name, ['follow', 'deny']), 'follow'),
  crossMounts: refuse(check.boolean, true),
} as const

/** The rows of ExecutableOptions, which a command has too. */
export const EXECUTABLE_OPTIONS = { seal: refuse(seal, false) } as const

/** A check that refuses, by name, every value but `nothing`: the one that asks for what happens anyway. */
export function refuse<T>(checked: Check<T>, nothing?: NoInfer<T>): Check<T> {
  return (value, name) => {
    const known = checked(value, name)
    if (nothing !== undefined && known === nothing) return known
    throw unavailableError(name, known)
  }
}

function seal(value: unknown, name: string): boolean | { sha256: string } {
  if (typeof value === 'boolean') return value
  if (typeof value !== 'object' || value === null) throw invalidType(name, 'of type boolean or { sha256 }', value)
  const sha256 = check.ownProperties(value, name, ['sha256']).get('sha256')
  if (typeof sha256 !== 'string') throw invalidType(`${name}.sha256`, 'of type string', sha256)
  if (!/^[0-9a-f]{64}$/i.test(sha256)) throw invalidValue(`${name}.sha256`, 'must be 64 hexadecimal digits', sha256)
  return Object.freeze({ sha256: sha256.toLowerCase() })
}
