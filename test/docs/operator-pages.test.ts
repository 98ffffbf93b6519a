import { describePages, pagesWith } from './pages-on-a-cluster.ts';

/* Half of the pages, so that two clusters share them. */
describePages(
  'operator',
  pagesWith('operator').filter((_page, index) => index % 2 === 0),
);
