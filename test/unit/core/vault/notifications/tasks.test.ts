/** Notices: that what matters is not lost among many. */
import { describe, expect, it } from 'vitest'
import { NotificationStore } from '../../../../../core/vault/notifications/store.ts'
import { openVault } from '../../../../support/core.ts'

describe('a notice', () => {
  it('is never displaced by others when it reports broken glass', () => {
    const bench = openVault()
    const notices = new NotificationStore(bench.database)
    notices.add({ type: 'glass.broken', data: {} }, bench.now)
    for (let i = 0; i < 1100; i++) notices.add({ type: 'approval.asked', data: {} }, bench.now)
    expect(notices.due(bench.now)?.type).toBe('glass.broken')
    expect(bench.database.all<{ n: number }>('SELECT COUNT(*) AS n FROM notice')[0]!.n).toBeLessThan(1010)
  })
})
