import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { KubectlSetup } from '#test/cluster/kubectl.ts';

/** A way from a port of this machine to a port of a pod; disposing of it closes the way. */
export interface PortForward extends Disposable {
  readonly port: number;
}

/** `kubectl port-forward`: resolves when connections are accepted. `target` is the pod, as `namespace/name`. */
export async function forwardPort(setup: KubectlSetup, target: string, port: number): Promise<PortForward> {
  const [namespace = '', name = ''] = target.split('/');
  const child = spawn(setup.program, ['port-forward', '-n', namespace, `pod/${name}`, `:${port}`], {
    env: { ...process.env, KUBECONFIG: setup.kubeconfig, HOME: setup.home },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface(child.stdout)) {
    const local = /^Forwarding from 127\.0\.0\.1:(\d+) /.exec(line)?.[1];
    if (local !== undefined) return { port: Number(local), [Symbol.dispose]: () => void child.kill() };
  }
  throw new Error(`kubectl port-forward to ${target} ended: its message is above`);
}
