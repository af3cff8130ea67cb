exports.up = (knex) =>
  knex.schema.createTable('ships', (t) => {
    t.bigIncrements('id');
    t.string('name', 120).notNullable().unique();
    t.date('built');
  });

exports.down = (knex) => knex.schema.dropTable('ships');
