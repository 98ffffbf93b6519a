# What a page has that begins with `with=payments`: the namespace payments as the current one, and in it the backends `kubernetes`
# and `openbao` of config/samples, of which the second one has the folder teams/payments of the mount secret.
kubectl create namespace payments
kubectl config set-context --current --namespace=payments

bao secrets enable -path=secret -version=2 kv
bao policy write keyferry-payments - <<'POLICY'
path "secret/data/teams/payments/*"     { capabilities = ["create", "update", "read"] }
path "secret/metadata/teams/payments/*" { capabilities = ["create", "update", "patch", "read", "list"] }
path "secret/delete/teams/payments/*"   { capabilities = ["update"] }
path "secret/undelete/teams/payments/*" { capabilities = ["update"] }
path "secret/config"                    { capabilities = ["read"] }
POLICY

kubectl create serviceaccount token-reviewer
kubectl create clusterrolebinding token-reviewer --clusterrole=system:auth-delegator --serviceaccount=payments:token-reviewer
bao auth enable kubernetes
bao write auth/kubernetes/config kubernetes_host=https://kubernetes.default.svc \
  kubernetes_ca_cert="$(kubectl get configmap kube-root-ca.crt -o jsonpath='{.data.ca\.crt}')" \
  token_reviewer_jwt="$(kubectl create token token-reviewer)"
bao write auth/kubernetes/role/payments bound_service_account_names=payments-vault \
  bound_service_account_namespaces=payments audience=keyferry.io/openbao token_policies=keyferry-payments token_ttl=15m

kubectl create serviceaccount payments-vault
kubectl create secret generic openbao-ca --from-file=ca.crt="$BAO_CACERT"
kubectl apply -f config/samples/backend-kubernetes.yaml -f config/samples/backend-openbao-kubernetes-auth.yaml
kubectl wait --for=condition=Ready secretbackends --all --timeout=60s
