import { isFinal } from '../../protocol/status.ts';
import type { Evidence, Violation } from '../evidence.ts';
import { recordOf } from './facts.ts';

/** Guarantee 2: no workstream is lost; after a recovery each is in a final state. */
export function judgeRecovery(evidence: Evidence): Violation[] {
  if (!evidence.recovered) return [];
  return evidence.workstreams.flatMap(({ id }) => {
    const broken = (what: string): Violation[] => [{ guarantee: 2, workstream: id, what }];
    const fact = evidence.records.find(({ workstream }) => workstream === id);
    if (fact === undefined || (fact.text === null && fact.fault === null))
      return broken('it was asked for and has no record');
    const record = recordOf(evidence, id);
    if (record === null) return broken(`its record is ${fact.parsed?.kind ?? fact.fault ?? 'not there'}`);
    if (!isFinal(record, evidence.restartLimit))
      return broken(`it is still ${record.status} after the recovery (restarts: ${record.restarts})`);
    if (record.status !== 'blocked') return [];
    const failed = record.blocked_by.filter((parent) => {
      const of = recordOf(evidence, parent);
      return (
        of !== null && isFinal(of, evidence.restartLimit) && !['completed', 'merged'].includes(of.status)
      );
    });
    return failed.length > 0 ? [] : broken('it is blocked, though no dependency of it failed');
  });
}
