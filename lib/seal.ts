/** The `seal` option, of Executables and of commands: its check, and what the Rust half takes for it. */
import { invalidType, invalidValue } from './argument-errors.ts'
import * as check from './validate.ts'

export type Seal = boolean | Readonly<{ sha256: string }>

/** true, false, or { sha256 }: in either case, kept in lower. An sha256 that is undefined asks for nothing: refused. */
export function checkSeal(value: unknown, name: string): Seal {
  if (typeof value === 'boolean') return value
  if (typeof value !== 'object' || value === null) throw invalidType(name, 'of type boolean or { sha256 }', value)
  const sha256 = check.ownProperties(value, name, ['sha256']).get('sha256')
  if (typeof sha256 !== 'string') throw invalidType(`${name}.sha256`, 'of type string', sha256)
  if (!/^[0-9a-f]{64}$/i.test(sha256)) throw invalidValue(`${name}.sha256`, 'must be 64 hexadecimal digits', sha256)
  return Object.freeze({ sha256: sha256.toLowerCase() })
}

export function sealRequest(seal: Seal | undefined): { seal: boolean; sha256?: string } {
  return check.bare(typeof seal === 'object' ? { seal: true, sha256: seal.sha256 } : { seal: seal ?? false })
}
