/** Node's permission model (--permission): what Node's own modules refuse is refused here, in the same words. */
import { accessDenied } from './errors.ts'

type Scope = { child: 'ChildProcess'; 'fs.read': 'FileSystemRead' }

const NAMES: Scope = { child: 'ChildProcess', 'fs.read': 'FileSystemRead' }

/** Throws ERR_ACCESS_DENIED unless `scope` is permitted. `resource`: the program's name, or the path to be read. */
export function permit(scope: keyof Scope, resource: string): void {
  // Only there under --permission; absent from the types of Node 20.
  const { permission } = process as { permission?: { has(scope: string, reference?: string): boolean } }
  if (!permission) return
  const allowed = scope === 'child' ? permission.has('child') : permission.has(scope, resource)
  if (!allowed) throw accessDenied(NAMES[scope], resource)
}
