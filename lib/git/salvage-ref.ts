import { salvageRef } from '../protocol/layout.ts';
import { commitTree } from './commit.ts';
import { moveRefs, type WorkstreamRefs } from './refs.ts';

/** Puts a commit with this tree and these parents, and all earlier salvage as one more, on the salvage ref. */
export async function chainSalvage(
  request: {
    root: string;
    id: string;
    attempt: number;
    why: string;
    tree: string;
    parents: readonly string[];
  },
  commonDir: string,
  refs: WorkstreamRefs,
): Promise<string> {
  const { root, id, attempt, why, tree, parents } = request;
  const here = refs.salvages.find((one) => one.attempt === attempt)?.commit ?? null;
  const highest = refs.salvages.at(-1)?.commit;
  const [first, ...rest] = parents;
  const earlier = [highest, here].filter((commit) => typeof commit === 'string');
  const commit = await commitTree(root, {
    tree,
    parents: [...(first === undefined ? [] : [first]), ...earlier, ...rest],
    message: `Salvage of ${id}, attempt ${attempt}: ${why.replaceAll(/\s+/g, ' ').slice(0, 200)}\n`,
  });
  const ref = salvageRef(id, attempt);
  await moveRefs(root, commonDir, [{ ref, from: here, to: commit }], { why: 'orch: salvage' });
  return commit;
}
