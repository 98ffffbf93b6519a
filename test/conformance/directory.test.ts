import { bareDriver, aDirectory } from './directory-subject.ts';
import { describeDriver } from './driver-suite.ts';

describeDriver(aDirectory('directory', bareDriver));
