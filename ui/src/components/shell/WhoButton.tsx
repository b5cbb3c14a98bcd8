/** Who one is to the console: a button in the header, whose menu comes when it is opened. */

import { Suspense, lazy } from 'react';

import { useMe } from '~/api/queries';
import { whoLabel } from '~/lib/who';
import { clip, visible } from '~/lib/text';

import { Flyout } from '../Flyout';

const WhoMenu = lazy(() => import('./WhoMenu'));
const LABEL_LIMIT = 80;

export function WhoButton() {
  const { data } = useMe();
  return (
    <Flyout icon="person" label={visible(clip(whoLabel(data), LABEL_LIMIT).text)} brief testId="who">
      <Suspense>
        <WhoMenu />
      </Suspense>
    </Flyout>
  );
}
