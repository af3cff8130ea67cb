module.exports = {
  async up(queryInterface, Sequelize) {
    await queryInterface.createTable('ships', {
      id: { type: Sequelize.BIGINT.UNSIGNED, primaryKey: true, autoIncrement: true },
      name: { type: Sequelize.STRING(120), allowNull: false, unique: true },
      built: { type: Sequelize.DATEONLY },
    });
  },
  async down(queryInterface) {
    await queryInterface.dropTable('ships');
  },
};
