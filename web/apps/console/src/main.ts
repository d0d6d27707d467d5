import { createApp } from 'vue'
import './styles.css'
import App from './app/App.vue'
import { fetchFirstPage, router } from './app/router'
import { startTheme } from './lib/theme'

startTheme()
fetchFirstPage()
createApp(App).use(router).mount('#app')
