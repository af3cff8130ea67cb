exports.up = (knex) =>
  knex.schema.alterTable('users', (table) => {
    table.dateTime('last_seen_at').nullable();
    table.index(['last_seen_at'], 'users_last_seen_at');
  });

exports.down = (knex) =>
  knex.schema.alterTable('users', (table) => {
    table.dropIndex(['last_seen_at'], 'users_last_seen_at');
    table.dropColumn('last_seen_at');
  });
