# After `payments`: three Secrets of the team payments.
kubectl create secret generic api-key --from-literal=key=battery-staple
kubectl create secret generic database --from-literal=username=app --from-literal=password=correct-horse
kubectl create secret generic smtp --from-literal=password=an-example
kubectl label secrets api-key database smtp team=payments
