module keyferry.io/test/cluster/node

go 1.26.0
