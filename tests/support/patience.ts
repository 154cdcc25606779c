/** How many times longer than on other machines everything may take here: RUNV_TEST_PATIENCE, for machines in emulated ones. */
export const patience = Number(process.env.RUNV_TEST_PATIENCE ?? 1);
