exports.up = (knex) =>
  knex.schema.createTable('users', (table) => {
    table.bigIncrements('id');
    table.string('email').notNullable().unique();
    table.string('display_name', 120).notNullable();
    table.timestamp('created_at').notNullable().defaultTo(knex.fn.now());
  });

exports.down = (knex) => knex.schema.dropTable('users');
