/**
 * Every metric of the process: the closed table behind the Metrics port. docs/metrics.md lists the same table; a test
 * compares both with each other and with the names in the sources.
 *
 * The names, labels and buckets are those of controller-runtime and of the workqueue and rest_client of client-go, so
 * that dashboards and alerts for other operators work here.
 */
export interface MetricInfo {
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
  /** Histograms only; seconds. */
  readonly buckets?: readonly number[];
}

const RECONCILE_BUCKETS = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.25, 1.5,
  1.75, 2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9, 10, 15, 20, 25, 30, 40, 50, 60,
];
const QUEUE_BUCKETS = [1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10, 100, 1000];
const PROPAGATION_BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600];
const REQUEST_BUCKETS = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60];

function counter(help: string, ...labels: readonly string[]): MetricInfo {
  return { kind: 'counter', help, labels };
}

function gauge(help: string, ...labels: readonly string[]): MetricInfo {
  return { kind: 'gauge', help, labels };
}

function histogram(help: string, buckets: readonly number[], ...labels: readonly string[]): MetricInfo {
  return { kind: 'histogram', help, labels, buckets };
}

export const METRICS: Readonly<Record<string, MetricInfo>> = {
  controller_runtime_reconcile_total: counter(
    'Reconciles by result: success, error, requeue or requeue_after.',
    'controller',
    'result',
  ),
  controller_runtime_reconcile_errors_total: counter('Reconciles that failed.', 'controller'),
  controller_runtime_terminal_reconcile_errors_total: counter(
    'Reconciles that failed and require a spec change.',
    'controller',
  ),
  controller_runtime_reconcile_panics_total: counter(
    'Reconciles that failed with an internal error.',
    'controller',
  ),
  controller_runtime_reconcile_time_seconds: histogram(
    'Time of one reconcile.',
    RECONCILE_BUCKETS,
    'controller',
  ),
  controller_runtime_max_concurrent_reconciles: gauge(
    'Maximum number of concurrent reconciles.',
    'controller',
  ),
  controller_runtime_active_workers: gauge('Number of reconciles that are running.', 'controller'),
  workqueue_depth: gauge(
    'Number of keys in the queue; priority is 0, or -100 for keys of the first list after a start and of retries.',
    'name',
    'controller',
    'priority',
  ),
  workqueue_adds_total: counter('Number of keys added to the queue.', 'name', 'controller'),
  workqueue_retries_total: counter('Number of keys added again after a failure.', 'name', 'controller'),
  workqueue_queue_duration_seconds: histogram(
    'Time that a key waited in the queue.',
    QUEUE_BUCKETS,
    'name',
    'controller',
  ),
  workqueue_work_duration_seconds: histogram('Time to process a key.', QUEUE_BUCKETS, 'name', 'controller'),
  workqueue_unfinished_work_seconds: gauge(
    'Total running time of all unfinished work.',
    'name',
    'controller',
  ),
  workqueue_longest_running_processor_seconds: gauge(
    'Running time of the longest unfinished work.',
    'name',
    'controller',
  ),
  rest_client_requests_total: counter(
    'Requests to the Kubernetes API by status code.',
    'code',
    'method',
    'host',
  ),
  rest_client_request_duration_seconds: histogram(
    'Time of one request to the Kubernetes API.',
    REQUEST_BUCKETS,
    'verb',
    'host',
  ),
  leader_election_master_status: gauge('1 while this replica holds the Lease, otherwise 0.', 'name'),
  keyferry_server_requests_allowed: gauge(
    'Requests that may be under way at once at the OpenBao servers of this origin, as their replies teach.',
    'server',
  ),
  keyferry_server_requests_under_way: gauge(
    'Requests that are under way at the OpenBao servers of this origin.',
    'server',
  ),
  keyferry_workers_handed_on_total: counter(
    'Workers that were given to a key that waited, while the reconcile that had them goes on later.',
    'controller',
  ),
  keyferry_informer_objects: gauge('Objects in the cache.', 'resource'),
  keyferry_informer_lists_total: counter(
    'Lists, including the first one. Those of Secrets have one object.',
    'resource',
  ),
  keyferry_informer_watches_total: counter('Watches that were opened.', 'resource'),
  keyferry_informer_events_total: counter('Events received from watches.', 'resource'),
  keyferry_informer_failures_total: counter('Lists and watches that failed.', 'resource'),
  keyferry_informer_handler_errors_total: counter('Event handlers that failed.', 'resource'),
  keyferry_sync_polls_total: counter(
    'Listings of versions at one side of a migration that is kept in step: unchanged, changed, failed, or skipped because the backend is not Ready.',
    'result',
  ),
  keyferry_sync_runs_total: counter(
    'Passes over a whole selection and follows of changed documents in mode Sync, by result: carried (something was written), unchanged, failed (it could not be completed) or interrupted.',
    'task',
    'result',
  ),
  keyferry_sync_propagation_seconds: histogram(
    'Time from the moment at which a change was seen until it was proven at the other side and recorded.',
    PROPAGATION_BUCKETS,
  ),
  keyferry_events_total: counter('Events written to the Kubernetes API.'),
  keyferry_events_dropped_total: counter(
    'Events that could not be written; events are best effort and never block a migration.',
  ),
  keyferry_rollout_restarts_total: counter(
    'Workloads that were restarted because Secrets that they use changed.',
    'kind',
  ),
  keyferry_trace_spans_total: counter(
    'Spans by what became of them: exported, failed (the collector did not take them) or dropped (the queue was full); absent without --tracing-endpoint.',
    'result',
  ),
  secretmigration_keys: gauge('Keys of a migration by state.', 'namespace', 'name', 'state'),
  secretmigration_condition: gauge(
    '1 for the current status of a condition (Ready, Succeeded, Stalled) of a migration, 0 for the others.',
    'namespace',
    'name',
    'type',
    'status',
  ),
  secretmigration_fallback_hits: gauge(
    'Number of values that a migration took from an old name; absent without spec.source.fallback or mode Sync inside one backend.',
    'namespace',
    'name',
  ),
  secretmigration_audit_records_total: counter('Accesses to values recorded in the audit log.'),
  secretmigration_audit_blocked: gauge(
    '1 while the audit log cannot be written and migrations wait for it; always 0 without --audit-log.',
  ),
  secretmigration_conflicts_total: counter(
    'Documents that were not written because the destination differs.',
  ),
  secretmigration_last_success_timestamp_seconds: gauge(
    'Time at which a migration last became Succeeded, in seconds since the epoch; absent while it is not.',
    'namespace',
    'name',
  ),
  secretmigration_sync_lag_seconds: gauge(
    'Time since the oldest change of a migration that is kept in step and not carried to the other side yet was seen; 0 if there is none, and for what waits for a person.',
    'namespace',
    'name',
  ),
  secretmigration_sync_overdue_seconds: gauge(
    'Time by which the versions of a migration that is kept in step should have been listed again, or by which its first pass has not ended: changes of that time are not known.',
    'namespace',
    'name',
  ),
  secretmigration_backend_condition: gauge(
    '1 for the current status of a condition (Ready, Stalled) of a backend, 0 for the others; namespace is empty for a ClusterSecretBackend.',
    'kind',
    'namespace',
    'name',
    'type',
    'status',
  ),
  secretmigration_backend_requests_total: counter(
    'Operations on backends by type of backend and error code; ok means no error, aborted that the run was stopped.',
    'backend',
    'operation',
    'code',
  ),
  secretmigration_backend_request_duration_seconds: histogram(
    'Time of one operation on a backend.',
    REQUEST_BUCKETS,
    'backend',
    'operation',
  ),
};
