/** An answer in the words of one API: in one piece, and as the events of a stream. */
export type Spoken = { whole: object; stream: readonly string[] };
