/** The options of Roots by name. */
import type { Rules } from '#binding'
import * as check from './validate.ts'

/** The rows of RootOptions, and `name`, which Root.fromFd() takes with them. */
const ROOT_OPTIONS = {
  resolve: (value: unknown, name: string) => check.oneOf(value, name, ['beneath', 'in-root']),
  symlinks: (value: unknown, name: string) => check.oneOf(value, name, ['follow', 'deny']),
  crossMounts: check.boolean,
  name: check.cString,
} as const

type Given = { [K in keyof typeof ROOT_OPTIONS]?: ReturnType<(typeof ROOT_OPTIONS)[K]> }

/** RootOptions as the Rust half takes them, where what is absent is inherited; and `name`, for those who have it. */
export function readRootOptions(options: unknown, more: readonly 'name'[] = []): { rules: Rules; name?: string } {
  const given = check.bare<Record<string, unknown>>({})
  if (options !== undefined) {
    const known = ['resolve', 'symlinks', 'crossMounts', ...more] as const
    for (const [key, value] of check.ownProperties(check.object(options, 'options'), 'options', known)) {
      given[key] = ROOT_OPTIONS[key](value, `options.${key}`)
    }
  }
  const { resolve, symlinks, crossMounts, name } = given as Given
  const rules = check.bare<Rules>({})
  if (resolve !== undefined) rules.inRoot = resolve === 'in-root'
  if (symlinks !== undefined) rules.followLinks = symlinks === 'follow'
  if (crossMounts !== undefined) rules.crossMounts = crossMounts
  return check.bare(name === undefined ? { rules } : { rules, name })
}
