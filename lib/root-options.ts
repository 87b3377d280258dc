/** The options of Roots by name, and how one is refused that this version does not bring. */
import { unavailableError } from './errors.ts'
import type { Check } from './validate.ts'
import * as check from './validate.ts'

/** The rows of RootOptions. */
export const ROOT_OPTIONS = {
  resolve: refuse((value, name) => check.oneOf(value, name, ['beneath', 'in-root']), 'beneath'),
  symlinks: refuse((value, name) => check.oneOf(value, name, ['follow', 'deny']), 'follow'),
  crossMounts: refuse(check.boolean, true),
} as const

/** A check that refuses, by name, every value but `nothing`: the one that asks for what happens anyway. */
export function refuse<T>(checked: Check<T>, nothing?: NoInfer<T>): Check<T> {
  return (value, name) => {
    const known = checked(value, name)
    if (nothing !== undefined && known === nothing) return known
    throw unavailableError(name, known)
  }
}
