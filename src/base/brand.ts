declare const brand: unique symbol;

/** A `Base` that cannot be swapped for another `Base` by mistake. */
export type Brand<Base, Name extends string> = Base & { readonly [brand]: Name };
