{{- /* Generated from config/ by node src/generate/generate.ts; do not edit. */}}
{{- define "keyferry.config.ClusterRole.operator" }}
rules:
  # The objects that users write. The operator never writes their spec or metadata.
  - apiGroups: [keyferry.io]
    resources: [secretbackends, secretmigrations]
    verbs: [get, list, watch]
  - apiGroups: [keyferry.io]
    resources: [secretbackends/status, secretmigrations/status]
    verbs: [patch]
  # The per-key table of large migrations; it is deleted with its migration.
  - apiGroups: [keyferry.io]
    resources: [secretmigrationreports]
    verbs: [get, create, update]
  - apiGroups: [events.k8s.io]
    resources: [events]
    verbs: [create, patch]
{{- end }}

{{- define "keyferry.config.ClusterRole.cluster" }}
rules:
  # Check permissions before the first list and the first write. It tells the operator about itself only.
  - apiGroups: [authorization.k8s.io]
    resources: [selfsubjectaccessreviews]
    verbs: [create]
  # Who the operator is: it requests no token of itself.
  - apiGroups: [authentication.k8s.io]
    resources: [selfsubjectreviews]
    verbs: [create]
  # The uid of kube-system identifies the cluster. Any other namespace is asked whether it is being deleted: a copy in it would
  # be no proof.
  - apiGroups: ['']
    resources: [namespaces]
    verbs: [get]
{{- end }}

{{- define "keyferry.config.Role.leader-election" }}
rules:
  # The name is that of --lease-name. Further slices have a number; -removals is what replicas lock before removals.
  - apiGroups: [coordination.k8s.io]
    resources: [leases]
    resourceNames:
      - {{ include "keyferry.leaseName" . }}
      - {{ include "keyferry.leaseName" . }}-1
      - {{ include "keyferry.leaseName" . }}-2
      - {{ include "keyferry.leaseName" . }}-3
      - {{ include "keyferry.leaseName" . }}-4
      - {{ include "keyferry.leaseName" . }}-5
      - {{ include "keyferry.leaseName" . }}-6
      - {{ include "keyferry.leaseName" . }}-7
      - {{ include "keyferry.leaseName" . }}-8
      - {{ include "keyferry.leaseName" . }}-9
      - {{ include "keyferry.leaseName" . }}-10
      - {{ include "keyferry.leaseName" . }}-11
      - {{ include "keyferry.leaseName" . }}-12
      - {{ include "keyferry.leaseName" . }}-13
      - {{ include "keyferry.leaseName" . }}-14
      - {{ include "keyferry.leaseName" . }}-15
      - {{ include "keyferry.leaseName" . }}-removals
    verbs: [get, update]
  # RBAC cannot restrict create by name: the name is not known when the request is authorized.
  - apiGroups: [coordination.k8s.io]
    resources: [leases]
    verbs: [create]
{{- end }}

{{- define "keyferry.config.ClusterRole.view" }}
rules:
  - apiGroups: [keyferry.io]
    resources: [secretbackends, secretmigrations, secretmigrationreports]
    verbs: [get, list, watch]
{{- end }}

{{- define "keyferry.config.ClusterRole.edit" }}
rules:
  - apiGroups: [keyferry.io]
    resources: [secretbackends, secretmigrations]
    verbs: [create, update, patch, delete, deletecollection]
{{- end }}

{{- define "keyferry.config.ClusterRole.approve" }}
rules:
  - apiGroups: [keyferry.io]
    resources: [secretmigrations]
    verbs: [get, list, watch, patch, update, approve]
  - apiGroups: [keyferry.io]
    resources: [secretmigrationreports]
    verbs: [get, list, watch]
{{- end }}

{{- define "keyferry.config.ClusterRole.cluster-view" }}
rules:
  - apiGroups: [keyferry.io]
    resources: [clustersecretbackends]
    verbs: [get, list, watch]
{{- end }}

{{- define "keyferry.config.ClusterRole.metrics-auth" }}
rules:
  - apiGroups: [authentication.k8s.io]
    resources: [tokenreviews]
    verbs: [create]
  - apiGroups: [authorization.k8s.io]
    resources: [subjectaccessreviews]
    verbs: [create]
{{- end }}

{{- define "keyferry.config.ClusterRole.metrics-reader" }}
rules:
  - nonResourceURLs: [/metrics]
    verbs: [get]
{{- end }}

{{- define "keyferry.config.ClusterRole.secrets" }}
rules:
  - apiGroups: ['']
    resources: [secrets]
    verbs: [get, list, watch, create, patch, delete]
{{- end }}

{{- define "keyferry.config.ClusterRole.in-use" }}
rules:
  - apiGroups: ['']
    resources: [pods, serviceaccounts]
    verbs: [list]
  # Pod templates of workloads that have no pod now.
  - apiGroups: [apps]
    resources: [deployments, statefulsets, daemonsets]
    verbs: [list]
  - apiGroups: [batch]
    resources: [jobs, cronjobs]
    verbs: [list]
  - apiGroups: [networking.k8s.io]
    resources: [ingresses]
    verbs: [list]
  # Where they are served.
  - apiGroups: [gateway.networking.k8s.io]
    resources: [gateways, referencegrants]
    verbs: [list]
  # They can delete elsewhere what they pushed of a Secret.
  - apiGroups: [external-secrets.io]
    resources: [pushsecrets]
    verbs: [list]
{{- end }}

{{- define "keyferry.config.ClusterRole.in-use-cluster" }}
rules:
  - apiGroups: [admissionregistration.k8s.io]
    resources: [validatingwebhookconfigurations, mutatingwebhookconfigurations]
    verbs: [list]
  - apiGroups: [apiregistration.k8s.io]
    resources: [apiservices]
    verbs: [list]
  - apiGroups: [apiextensions.k8s.io]
    resources: [customresourcedefinitions]
    verbs: [list]
{{- end }}

{{- define "keyferry.config.ClusterRole.shared-backends" }}
rules:
  - apiGroups: [keyferry.io]
    resources: [clustersecretbackends]
    verbs: [get, list, watch]
  - apiGroups: [keyferry.io]
    resources: [clustersecretbackends/status]
    verbs: [patch]
{{- end }}

{{- define "keyferry.config.Role.events" }}
rules:
  - apiGroups: [events.k8s.io]
    resources: [events]
    verbs: [create, patch]
{{- end }}

{{- define "keyferry.config.ClusterRole.tokens" }}
rules:
  - apiGroups: ['']
    resources: [serviceaccounts/token]
    verbs: [create]
{{- end }}

{{- define "keyferry.config.Role.workers" }}
rules:
  # The right to create Jobs here is the right to run anything with the ServiceAccounts of this namespace: keep others out of it.
  - apiGroups: [batch]
    resources: [jobs]
    verbs: [get, create, delete]
  - apiGroups: ['']
    resources: [podtemplates]
    resourceNames: [{{ include "keyferry.fullname" . }}-worker]
    verbs: [get]
  # One for each range, named by the uid of its migration, which no role can name.
  - apiGroups: [coordination.k8s.io]
    resources: [leases]
    verbs: [get, update, delete]
{{- end }}

{{- define "keyferry.config.ClusterRole.rollouts" }}
rules:
  - apiGroups: [apps]
    resources: [deployments, statefulsets, daemonsets]
    verbs: [get, list, patch]
{{- end }}

{{- define "keyferry.config.ValidatingAdmissionPolicy.rollouts" }}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
      - apiGroups: [apps]
        apiVersions: ['*']
        operations: [UPDATE]
        resources: [deployments, statefulsets, daemonsets]
  matchConditions:
    - name: by-the-operator
      expression: request.userInfo.username == 'system:serviceaccount:{{ .Release.Namespace }}:{{ include "keyferry.serviceAccountName" . }}'
  variables:
    # What the API server itself changes with an update; the annotation is that of a DaemonSet.
    - name: bookkeeping
      expression: "['generation', 'managedFields', 'resourceVersion']"
    - name: generation
      expression: "'deprecated.daemonset.template.generation'"
    - name: own
      expression: object.metadata.?annotations.orValue({})
    - name: oldOwn
      expression: oldObject.metadata.?annotations.orValue({})
    - name: metadata
      expression: object.spec.template.metadata
    - name: oldMetadata
      expression: oldObject.spec.template.metadata
    - name: annotations
      expression: variables.metadata.?annotations.orValue({})
    - name: oldAnnotations
      expression: variables.oldMetadata.?annotations.orValue({})
    # In both directions each, so that nothing is added, changed or taken away.
    - name: sameMetadata
      expression: >-
        object.metadata.all(key, key == 'annotations' || key in variables.bookkeeping ||
        oldObject.metadata[?key] == optional.of(object.metadata[key])) &&
        oldObject.metadata.all(key, key == 'annotations' || key in variables.bookkeeping || key in object.metadata) &&
        variables.own.all(key, key == variables.generation || variables.oldOwn[?key] == optional.of(variables.own[key])) &&
        variables.oldOwn.all(key, key in variables.own)
    - name: sameSpec
      expression: >-
        object.spec.all(key, key == 'template' || oldObject.spec[?key] == optional.of(object.spec[key])) &&
        oldObject.spec.all(key, key in object.spec) && object.spec.template.spec == oldObject.spec.template.spec
    - name: sameTemplate
      expression: >-
        variables.metadata.all(key, key == 'annotations' ||
        variables.oldMetadata[?key] == optional.of(variables.metadata[key])) &&
        variables.oldMetadata.all(key, key == 'annotations' || key in variables.metadata) &&
        variables.annotations.all(key, key == 'keyferry.io/restarted-for' ||
        variables.oldAnnotations[?key] == optional.of(variables.annotations[key])) &&
        variables.oldAnnotations.all(key, key in variables.annotations)
  validations:
    - expression: variables.oldOwn[?'keyferry.io/restart-on-change'] == optional.of('true')
      reason: Forbidden
      message: The operator may only restart workloads with the annotation keyferry.io/restart-on-change.
    - expression: variables.sameMetadata && variables.sameSpec && variables.sameTemplate
      reason: Forbidden
      message: The operator may only change the annotation keyferry.io/restarted-for of the pod template.
{{- end }}

{{- define "keyferry.config.ValidatingAdmissionPolicy.backends" }}
spec:
  failurePolicy: Fail
  paramKind:
    apiVersion: v1
    kind: ConfigMap
  matchConstraints:
    resourceRules:
      - apiGroups: [keyferry.io]
        apiVersions: ['*']
        operations: [CREATE, UPDATE]
        resources: [secretbackends, clustersecretbackends]
  matchConditions:
    # Not for a status, which is another resource, and not for finalizers, labels and annotations of others.
    - name: changes-the-backend
      expression: >-
        oldObject == null || object.spec != oldObject.spec ||
        object.metadata.?annotations.orValue({}).exists(key, key.startsWith('keyferry.io/') &&
        oldObject.metadata.?annotations.orValue({})[?key] != optional.of(object.metadata.annotations[key])) ||
        oldObject.metadata.?annotations.orValue({}).exists(key, key.startsWith('keyferry.io/') &&
        !(key in object.metadata.?annotations.orValue({})))
  variables:
    - name: settings
      expression: params.?data.orValue({})
    - name: clusterNamespace
      expression: variables.settings[?'clusterResourceNamespace'].orValue(params.metadata.namespace)
    # Where the Secrets and ServiceAccounts are that the backend names.
    - name: home
      expression: object.metadata.?namespace.orValue(variables.clusterNamespace)
    - name: title
      expression: >-
        object.kind + ' ' + (has(object.metadata.namespace) ? object.metadata.namespace + '/' : '') +
        object.metadata.?name.orValue('')
    - name: auth
      expression: object.spec.?openbao.?auth.orValue({})
    - name: serviceAccounts
      expression: >-
        [?variables.auth.?kubernetes.?serviceAccountRef.?name, ?variables.auth.?jwt.?serviceAccountRef.?name]
    - name: audiences
      expression: >-
        variables.auth.?kubernetes.?audiences.orValue([]) + variables.auth.?jwt.?audiences.orValue([])
    - name: audiencePrefix
      expression: variables.settings[?'audiencePrefix'].orValue('keyferry.io/')
    # One at most, as the methods exclude each other.
    - name: loginSecrets
      expression: >-
        [?variables.auth.?token.?secretRef.?name, ?variables.auth.?appRole.?secretIdRef.?name,
        ?variables.auth.?jwt.?secretRef.?name, ?variables.auth.?cert.?secretRef.?name]
    - name: caSecrets
      expression: '[?object.spec.?openbao.?caSecretRef.?name]'
    - name: address
      expression: object.spec.?openbao.?address.orValue('')
    - name: scheme
      expression: "variables.address == '' ? '' : url(variables.address).getScheme() + '://'"
    - name: hostname
      expression: "variables.address == '' ? '' : url(variables.address).getHostname().lowerAscii()"
    # As it stands in an address: the function returns an IPv6 address without its brackets.
    - name: host
      expression: "variables.hostname.contains(':') ? '[' + variables.hostname + ']' : variables.hostname"
    - name: defaultPort
      expression: "variables.scheme == 'http://' ? '80' : '443'"
    - name: port
      expression: >-
        variables.address == '' || url(variables.address).getPort() == '' ? variables.defaultPort :
        url(variables.address).getPort()
    # The host itself, and with '*' instead of its first label.
    - name: hosts
      expression: >-
        variables.host.contains('.') && !variables.host.startsWith('[') ?
        [variables.host, '*' + variables.host.substring(variables.host.indexOf('.'))] : [variables.host]
    - name: allowed
      expression: >-
        variables.settings[?'addresses'].orValue('').lowerAscii().split('\n').map(line, line.trim())
    - name: isAllowed
      expression: >-
        variables.hosts.exists(host, variables.scheme + host + ':' + variables.port in variables.allowed ||
        variables.scheme + host + ':*' in variables.allowed ||
        (variables.port == variables.defaultPort && variables.scheme + host in variables.allowed))
  validations:
    - expression: >-
        !has(object.metadata.namespace) || variables.settings[?'allowBackendsInOwnNamespace'] == optional.of('true') ||
        !(object.metadata.namespace in [params.metadata.namespace, variables.clusterNamespace])
      reason: Forbidden
      messageExpression: >-
        variables.title + ' is in the namespace of the operator, whose Secrets and ServiceAccounts are those of the operator.
        Create it in another namespace, or ask an administrator to share a ClusterSecretBackend.'
    - expression: >-
        variables.serviceAccounts.all(name, authorizer.group('').resource('serviceaccounts').subresource('token')
        .namespace(variables.home).name(name).check('create').allowed())
      reason: Forbidden
      messageExpression: >-
        request.userInfo.username + ' may not create tokens of ServiceAccount ' + variables.home + '/' +
        variables.serviceAccounts.join(', ') + ', which ' + variables.title + ' names. Ask an administrator of the namespace
        for the right to create serviceaccounts/token of this ServiceAccount.'
    - expression: >-
        variables.loginSecrets.all(name, authorizer.group('').resource('secrets').namespace(variables.home).name(name)
        .check('get').allowed())
      reason: Forbidden
      messageExpression: >-
        request.userInfo.username + ' may not get Secret ' + variables.home + '/' + variables.loginSecrets.join(', ') +
        ', which ' + variables.title + ' names. Ask an administrator of the namespace for the right to get this Secret.'
    - expression: >-
        variables.caSecrets.all(name, authorizer.group('').resource('secrets').namespace(variables.home).name(name)
        .check('get').allowed())
      reason: Forbidden
      messageExpression: >-
        request.userInfo.username + ' may not get Secret ' + variables.home + '/' + variables.caSecrets.join(', ') +
        ', which ' + variables.title + ' names. Ask an administrator of the namespace for the right to get this Secret.'
    - expression: variables.audiences.all(audience, audience.startsWith(variables.audiencePrefix))
      reason: Forbidden
      messageExpression: >-
        'An audience of ' + variables.title + ' does not start with ' + variables.audiencePrefix + '. Set audiences, and the
        audience of the role on the server, to a name with this prefix. Ask an administrator if the server does not support
        audiences.'
    - expression: variables.address == '' || variables.isAllowed
      reason: Forbidden
      messageExpression: >-
        'The address ' + variables.address + ' of ' + variables.title + ' is not on the list of the administrator. Ask an
        administrator to add ' + variables.scheme + variables.host + ':' + variables.port + ' to addresses in ConfigMap ' +
        params.metadata.namespace + '/' + params.metadata.name + '.'
{{- end }}

{{- define "keyferry.config.ValidatingAdmissionPolicy.migrations" }}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
      - apiGroups: [keyferry.io]
        apiVersions: ['*']
        operations: [CREATE, UPDATE]
        resources: [secretmigrations]
  matchConditions:
    # Not for a status, which is another resource, and not for finalizers, labels and annotations of others.
    - name: asks-for-work
      expression: >-
        oldObject == null || object.spec != oldObject.spec ||
        object.metadata.?annotations.orValue({}).exists(key, key.startsWith('keyferry.io/') &&
        oldObject.metadata.?annotations.orValue({})[?key] != optional.of(object.metadata.annotations[key])) ||
        oldObject.metadata.?annotations.orValue({}).exists(key, key.startsWith('keyferry.io/') &&
        !(key in object.metadata.?annotations.orValue({})))
  variables:
    - name: digest
      expression: object.spec.?approval.?digest.orValue('')
    - name: required
      expression: object.spec.?approval.?required.orValue(false)
    - name: oldDigest
      expression: "oldObject == null ? '' : oldObject.spec.?approval.?digest.orValue('')"
    - name: oldRequired
      expression: 'oldObject == null ? false : oldObject.spec.?approval.?required.orValue(false)'
    # Undo creates what was removed, removes what was created, and takes marks off, whatever the policies are by now.
    - name: undoes
      expression: object.spec.?undo.orValue(false)
    # An approval, the end of the need for one, taking back what was approved, and in a namespace that wants one everywhere, work without it.
    - name: releases
      expression: >-
        (variables.digest != '' && variables.digest != variables.oldDigest) || (variables.oldRequired && !variables.required) ||
        (variables.required && variables.undoes && (oldObject == null || !oldObject.spec.?undo.orValue(false))) ||
        (namespaceObject.metadata.?labels[?'keyferry.io/approval'] == optional.of('required') && !variables.required &&
        !object.spec.?dryRun.orValue(false))
    # Annotations can ask for work, too. Each member of the spec except approval: test/architecture/admission.test.ts.
    - name: onlyApproves
      expression: >-
        oldObject != null && variables.required == variables.oldRequired && variables.digest != variables.oldDigest &&
        object.metadata.?annotations == oldObject.metadata.?annotations &&
        object.spec.?mode == oldObject.spec.?mode &&
        object.spec.?sync == oldObject.spec.?sync &&
        object.spec.?rollout == oldObject.spec.?rollout &&
        object.spec.?source == oldObject.spec.?source &&
        object.spec.?destination == oldObject.spec.?destination &&
        object.spec.?select == oldObject.spec.?select &&
        object.spec.?mapping == oldObject.spec.?mapping &&
        object.spec.?conflictPolicy == oldObject.spec.?conflictPolicy &&
        object.spec.?sourcePolicy == oldObject.spec.?sourcePolicy &&
        object.spec.?backupTTLSeconds == oldObject.spec.?backupTTLSeconds &&
        object.spec.?soakSeconds == oldObject.spec.?soakSeconds &&
        object.spec.?dryRun == oldObject.spec.?dryRun &&
        object.spec.?parallelism == oldObject.spec.?parallelism &&
        object.spec.?suspend == oldObject.spec.?suspend &&
        object.spec.?undo == oldObject.spec.?undo &&
        object.spec.?removal == oldObject.spec.?removal
    - name: secrets
      expression: authorizer.group('').resource('secrets').namespace(object.metadata.namespace)
    - name: dryRun
      expression: object.spec.?dryRun.orValue(false)
    - name: mapping
      expression: object.spec.?mapping.orValue({})
    # The policy of the spec, and those of rules that override it.
    - name: sourcePolicies
      expression: >-
        [object.spec.?sourcePolicy.orValue('Keep')] +
        variables.mapping.?overrides.orValue([]).map(rule, rule.?sourcePolicy.orValue('')) +
        variables.mapping.?prefixes.orValue([]).map(rule, rule.?sourcePolicy.orValue('')) +
        variables.mapping.?patterns.orValue([]).map(rule, rule.?sourcePolicy.orValue(''))
    - name: removes
      expression: >-
        variables.undoes || !variables.dryRun && variables.sourcePolicies.exists(policy, policy in ['Delete', 'Backup'])
    # A removal is announced at the source first (a claim), and a projection is marked there.
    - name: marks
      expression: >-
        variables.undoes || !variables.dryRun && variables.sourcePolicies.exists(policy, policy in ['Delete', 'Backup', 'Project'])
    # Objects that name Secrets: a row says which of them use a Secret, so who may not list them must not choose where to look.
    - name: references
      expression: object.spec.?removal.?references.orValue([])
    # The rights for single Secrets are enough for a few names, if nothing leads to a Secret of another name. An authorizer
    # check costs 350,000; the API server allows 1,000,000 an expression and 10,000,000 a policy.
    - name: names
      expression: >-
        object.spec.select.?names.orValue([]).size() <= 4 && variables.references.size() <= 8 && !variables.mapping.?overrides.hasValue() &&
        !variables.mapping.?prefixes.hasValue() && !variables.mapping.?patterns.hasValue() &&
        !variables.mapping.?segmentSeparator.hasValue() &&
        !variables.mapping.?path.orValue('').contains('{label:') && !has(object.spec.source.fallback) &&
        !('Backup' in variables.sourcePolicies) ? object.spec.select.?names.orValue([]) : []
    - name: getsNamed1
      expression: >-
        (variables.names.size() <= 0 || variables.secrets.name(variables.names[0]).check('get').allowed()) &&
        (variables.names.size() <= 1 || variables.secrets.name(variables.names[1]).check('get').allowed())
    - name: getsNamed2
      expression: >-
        (variables.names.size() <= 2 || variables.secrets.name(variables.names[2]).check('get').allowed()) &&
        (variables.names.size() <= 3 || variables.secrets.name(variables.names[3]).check('get').allowed())
    - name: deletesNamed1
      expression: >-
        (variables.names.size() <= 0 || variables.secrets.name(variables.names[0]).check('delete').allowed()) &&
        (variables.names.size() <= 1 || variables.secrets.name(variables.names[1]).check('delete').allowed())
    - name: deletesNamed2
      expression: >-
        (variables.names.size() <= 2 || variables.secrets.name(variables.names[2]).check('delete').allowed()) &&
        (variables.names.size() <= 3 || variables.secrets.name(variables.names[3]).check('delete').allowed())
    - name: patchesNamed1
      expression: >-
        (variables.names.size() <= 0 || variables.secrets.name(variables.names[0]).check('patch').allowed()) &&
        (variables.names.size() <= 1 || variables.secrets.name(variables.names[1]).check('patch').allowed())
    - name: patchesNamed2
      expression: >-
        (variables.names.size() <= 2 || variables.secrets.name(variables.names[2]).check('patch').allowed()) &&
        (variables.names.size() <= 3 || variables.secrets.name(variables.names[3]).check('patch').allowed())
    - name: listsReferences1
      expression: >-
        [0, 1].all(i, i >= variables.references.size() || authorizer.group(variables.references[i].resource.?group.orValue(''))
        .resource(variables.references[i].resource.plural).namespace(object.metadata.namespace).check('list').allowed())
    - name: listsReferences2
      expression: >-
        [2, 3].all(i, i >= variables.references.size() || authorizer.group(variables.references[i].resource.?group.orValue(''))
        .resource(variables.references[i].resource.plural).namespace(object.metadata.namespace).check('list').allowed())
    - name: listsReferences3
      expression: >-
        [4, 5].all(i, i >= variables.references.size() || authorizer.group(variables.references[i].resource.?group.orValue(''))
        .resource(variables.references[i].resource.plural).namespace(object.metadata.namespace).check('list').allowed())
    - name: listsReferences4
      expression: >-
        [6, 7].all(i, i >= variables.references.size() || authorizer.group(variables.references[i].resource.?group.orValue(''))
        .resource(variables.references[i].resource.plural).namespace(object.metadata.namespace).check('list').allowed())
    - name: listsReferences5
      expression: >-
        [8, 9].all(i, i >= variables.references.size() || authorizer.group(variables.references[i].resource.?group.orValue(''))
        .resource(variables.references[i].resource.plural).namespace(object.metadata.namespace).check('list').allowed())
    - name: listsReferences6
      expression: >-
        [10, 11].all(i, i >= variables.references.size() || authorizer.group(variables.references[i].resource.?group.orValue(''))
        .resource(variables.references[i].resource.plural).namespace(object.metadata.namespace).check('list').allowed())
    - name: listsReferences7
      expression: >-
        [12, 13].all(i, i >= variables.references.size() || authorizer.group(variables.references[i].resource.?group.orValue(''))
        .resource(variables.references[i].resource.plural).namespace(object.metadata.namespace).check('list').allowed())
    - name: listsReferences8
      expression: >-
        [14, 15].all(i, i >= variables.references.size() || authorizer.group(variables.references[i].resource.?group.orValue(''))
        .resource(variables.references[i].resource.plural).namespace(object.metadata.namespace).check('list').allowed())
  validations:
    - expression: >-
        !variables.releases || authorizer.group('keyferry.io').resource('secretmigrations').namespace(object.metadata.namespace)
        .name(object.metadata.name).check('approve').allowed()
      reason: Forbidden
      messageExpression: >-
        request.userInfo.username + ' may not approve SecretMigration ' + object.metadata.namespace + '/' + object.metadata.name + ':
        setting spec.approval.digest, ending spec.approval.required, spec.undo while it is required, and a run without it in a namespace with the label
        keyferry.io/approval=required need the verb approve on secretmigrations. Ask a user who has it, see ClusterRole
        keyferry-approve.'
    # Its pods run in the namespace of the operator, which all tenants share. It cannot be added later.
    - expression: >-
        oldObject != null || !has(object.spec.parallelism) || authorizer.group('keyferry.io').resource('secretmigrations')
        .namespace(object.metadata.namespace).name(object.metadata.name).check('parallelize').allowed()
      reason: Forbidden
      messageExpression: >-
        request.userInfo.username + ' may not create SecretMigration ' + object.metadata.namespace + '/' + object.metadata.name + '
        with spec.parallelism, whose pods run in the namespace of the operator: that needs the verb parallelize on secretmigrations.
        Ask an administrator for it, or remove spec.parallelism.'
    - expression: >-
        variables.onlyApproves || variables.secrets.check('get').allowed() ||
        (variables.names.size() > 0 && variables.getsNamed1 && variables.getsNamed2)
      reason: Forbidden
      messageExpression: >-
        request.userInfo.username + ' may not get Secrets in namespace ' + object.metadata.namespace + ',
        and the operator reads them for a SecretMigration. Ask an administrator of the namespace for the right to get
        secrets.'
    - expression: >-
        variables.onlyApproves || variables.secrets.check('list').allowed() ||
        variables.names.size() > 0
      reason: Forbidden
      messageExpression: >-
        request.userInfo.username + ' may not list Secrets in namespace ' + object.metadata.namespace + ',
        and the operator lists them for a SecretMigration. Ask an administrator of the namespace for the right to
        list secrets, or select up to four Secrets by
        spec.select.names without rules in spec.mapping.'
    - expression: >-
        variables.onlyApproves || variables.dryRun || variables.secrets.check('create').allowed()
      reason: Forbidden
      messageExpression: >-
        request.userInfo.username + ' may not create Secrets in namespace ' + object.metadata.namespace + ',
        and the operator creates them for a SecretMigration to Kubernetes. Ask an administrator of the namespace for the right to
        create secrets, or set
        spec.dryRun.'
    - expression: >-
        variables.onlyApproves || !variables.removes || variables.secrets.check('delete').allowed() ||
        (variables.names.size() > 0 && variables.deletesNamed1 && variables.deletesNamed2)
      reason: Forbidden
      messageExpression: >-
        request.userInfo.username + ' may not delete Secrets in namespace ' + object.metadata.namespace + ',
        and the operator deletes them for the sourcePolicy Delete or Backup, or for undo. Ask an administrator of the namespace for the right to
        delete secrets, or
        set sourcePolicy to Keep.'
    - expression: >-
        variables.onlyApproves || !variables.marks || variables.secrets.check('patch').allowed() ||
        (variables.names.size() > 0 && variables.patchesNamed1 && variables.patchesNamed2)
      reason: Forbidden
      messageExpression: >-
        request.userInfo.username + ' may not patch Secrets in namespace ' + object.metadata.namespace + ',
        and the operator marks them for the sourcePolicy Delete, Backup or Project, or for undo. Ask an administrator of the namespace for the right to
        patch secrets, or
        set sourcePolicy to Keep.'
    - expression: >-
        variables.onlyApproves || (variables.listsReferences1 && variables.listsReferences2 && variables.listsReferences3 &&
        variables.listsReferences4 && variables.listsReferences5 && variables.listsReferences6 && variables.listsReferences7 &&
        variables.listsReferences8)
      reason: Forbidden
      messageExpression: >-
        request.userInfo.username + ' may not list in namespace ' + object.metadata.namespace + ' all that
        spec.removal.references names: ' + variables.references.map(each, each.resource.plural +
        (each.resource.?group.orValue('') == '' ? '' : '.' + each.resource.group)).join(', ') + '. The operator lists them for a
        SecretMigration, and its rows say which of them use a Secret. Ask an administrator of the namespace for the right to list
        them, or remove those that you may not list.'
{{- end }}

{{- define "keyferry.config.ClusterSecretBackend.kubernetes" }}
spec:
  type: kubernetes
  kubernetes: {}
  allowedNamespaces: ['*']
{{- end }}
