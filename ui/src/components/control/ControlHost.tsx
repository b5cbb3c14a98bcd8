/** The shell's end of the controls: the dialog and the tray come when they are needed. */

import { Suspense, lazy } from 'react';

import { useKeys } from '../useKeys';
import { ask, showTray, useSteering } from './store';

const ControlDialog = lazy(() => import('./ControlDialog'));
const Tray = lazy(() => import('./Tray'));

export function ControlHost() {
  const { asked, tray, reports } = useSteering();
  useKeys('Everywhere', [
    { keys: 'g a', does: tray ? 'Close the actions' : 'Actions of late', run: () => showTray(!tray) },
  ]);
  return (
    <Suspense>
      {(tray || reports.length > 0) && <Tray open={tray} reports={reports} />}
      {asked && <ControlDialog asked={asked} onClose={() => ask(null)} />}
    </Suspense>
  );
}
