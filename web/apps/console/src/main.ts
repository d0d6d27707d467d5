import { createApp } from 'vue'
import './styles.css'
import App from './app/App.vue'
import { router } from './app/router'
import { startTheme } from './lib/theme'

startTheme()
createApp(App).use(router).mount('#app')
