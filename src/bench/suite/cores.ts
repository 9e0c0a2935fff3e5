/** Where pinned servers run, and where their load comes from. */
export const SERVER_CORE = 0;
export const LOAD_CORE = 1;
export const HOST = "127.0.0.1";
