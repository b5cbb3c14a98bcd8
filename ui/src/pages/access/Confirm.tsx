/** One question before something ends that may be in use. */

import { type ReactNode, useEffect, useRef, useState } from 'react';

import { Dialog, useClose } from '~/components/Dialog';
import { Decide } from '~/components/Form';
import { Trouble } from '~/components/Notice';

import styles from './access.module.css';

interface ConfirmProps {
  title: string;
  word: string;
  doing: string;
  run: () => Promise<void>;
  onClose: () => void;
  children: ReactNode; // what it means
}

export function Confirm({ title, onClose, children, ...rest }: ConfirmProps) {
  return (
    <Dialog title={title} testId="confirm" onClose={onClose}>
      <Question {...rest}>{children}</Question>
    </Dialog>
  );
}

function Question({ word, doing, run, children }: Omit<ConfirmProps, 'title' | 'onClose'>) {
  const close = useClose();
  const box = useRef<HTMLDivElement>(null);
  const [state, setState] = useState<'idle' | 'busy' | Error>('idle');
  useEffect(() => box.current?.querySelector<HTMLElement>('[data-first]')?.focus(), []);
  const go = () => {
    setState('busy');
    run().then(close, (error: unknown) => setState(error instanceof Error ? error : new Error(String(error))));
  };
  return (
    <div ref={box} className={styles.question}>
      <p>{children}</p>
      {state instanceof Error && <Trouble error={state} />}
      <Decide word={word} doing={doing} busy={state === 'busy'} danger testId="confirm-do" onCancel={close} onDo={go} />
    </div>
  );
}
