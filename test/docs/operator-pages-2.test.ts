import { describePages, quarterOf } from './pages-on-a-cluster.ts';

describePages('operator', quarterOf('operator', 2));
