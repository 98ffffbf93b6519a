import { describePages, pagesWith } from './pages-on-a-cluster.ts';

/* The other half of the pages that operator-pages.test.ts has. */
describePages(
  'operator',
  pagesWith('operator').filter((_page, index) => index % 2 === 1),
);
