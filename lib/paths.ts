/** Paths as text, for what programs and messages are told; nothing is opened by them. */
import { join, resolve } from 'node:path'

/** `name` beneath `path`. As in the Root itself, no `..` leads above it; a name that is '/' or '.' adds nothing. */
export function pathBeneath(path: string, name: string): string {
  return join(path, resolve('/', `./${name}`).slice(1))
}
