import { useMemo } from 'react';

import { DoorLink } from '~/components/DoorLink';
import { Empty, Trouble, Waiting } from '~/components/Notice';
import { Panel } from '~/components/Panel';
import { span } from '~/lib/doors';
import { compact } from '~/lib/format';
import { type CalendarDay, calendarDays, worstHours } from '~/lib/insight';
import type { InsightSearch } from '~/lib/insight-search';
import { queryOf } from '~/lib/query';

import styles from './insight.module.css';
import { useCalendar } from './useInsight';

const HOURS = Array.from({ length: 24 }, (_, hour) => hour);
const LEVELS = ['none', 'below 1 %', '1 to 5 %', '5 to 20 %', '20 % and more'] as const;

/** Which hours of which days failed most: a table whose cells are dark where much failed. */
export function Calendar({ search, name = '' }: { search: InsightSearch; name?: string }) {
  const { data, error } = useCalendar(search, name);
  const days = useMemo(() => (data === undefined ? [] : calendarDays(data)), [data]);
  const worst = useMemo(() => worstHours(days), [days]);
  return (
    <Panel title="Calendar of failures" note={data && `hours of ${data.zone}`} actions={<Legend />}>
      {data === undefined ? (
        error ? <Trouble error={error} /> : <Waiting what="the calendar" />
      ) : days.length === 0 ? (
        <Empty title="No task ended on these days" />
      ) : (
        <>
          <div className={styles.calendarScroll} tabIndex={0} role="region" aria-label="Calendar of failures">
            <table className={styles.calendar} data-testid="insight-calendar">
              <thead>
                <tr>
                  <th scope="col">
                    <span className="sr">Day</span>
                  </th>
                  {HOURS.map((hour) => (
                    <th key={hour} scope="col">
                      {hour % 3 === 0 ? String(hour).padStart(2, '0') : <span className="sr">{hour}</span>}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {days.map((day) => (
                  <Day key={day.date} day={day} name={name} />
                ))}
              </tbody>
            </table>
          </div>
          {worst.length > 0 && (
            <p className={styles.worst}>
              Worst:{' '}
              {worst.map(({ date, hour, words, since }, index) => (
                <span key={since}>
                  {index > 0 && ' · '}
                  <DoorLink className={styles.worstLink} door={failures(since, name)}>
                    {date.slice(5)} {String(hour).padStart(2, '0')}:00
                  </DoorLink>{' '}
                  {words}
                </span>
              ))}
            </p>
          )}
        </>
      )}
    </Panel>
  );
}

function Day({ day: { date, day, hours }, name }: { day: CalendarDay; name: string }) {
  return (
    <tr data-weekend={day === 'Sat' || day === 'Sun' || undefined}>
      <th scope="row">
        {day} <span>{date.slice(5)}</span>
      </th>
      {hours.map(({ tasks, failed, level, since, words }, hour) => (
        <td key={hour} data-level={tasks === 0 ? undefined : level} title={`${date} ${String(hour).padStart(2, '0')}:00: ${words}`}>
          {failed > 0 ? (
            <DoorLink door={failures(since, name)}>
              {compact(failed)}
              <span className="sr">{`: ${words}`}</span>
            </DoorLink>
          ) : (
            <span className="sr">{words}</span>
          )}
        </td>
      ))}
    </tr>
  );
}

function failures(since: number, name: string) {
  const door = span(since, since + 3_600, 'FAILURE');
  return name === '' || door.to !== '/tasks' ? door : { ...door, query: `${queryOf({ name })} ${door.query}` };
}

function Legend() {
  return (
    <span className={styles.legend}>
      <span className={styles.legendWord}>failed</span>
      {LEVELS.map((words, level) => (
        <span key={words} className={styles.legendCell} data-level={level} title={words} />
      ))}
      <span className="sr">{LEVELS.join(', ')}</span>
    </span>
  );
}
